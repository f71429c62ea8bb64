export function captures(_name: string): Uint8Array[] {
  return [];
}
