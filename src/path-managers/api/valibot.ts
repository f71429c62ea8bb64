/** What `import … from "valibot"` gives in a plugin, wherever it lies. */
export * from "valibot";
