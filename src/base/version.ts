/** The version that every program prints; a test holds it equal to package.json's. */
export const version = "1.0.0";
