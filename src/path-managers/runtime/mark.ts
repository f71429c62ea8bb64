/** At the end of the URL that a plugin is imported by. */
export const PLUGIN_MARK = "?path-manager";
