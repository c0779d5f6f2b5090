import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  { ignores: ["dist/", "coverage/", "**/*.js", "**/*.mjs", "**/*.cjs", "test/consumer/project/"] },
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      // A generic that only narrows a result is how drivers type their rows.
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      // Interfaces are asynchronous where one implementation of them is not.
      "@typescript-eslint/require-await": "off",
      "no-console": "error",
    },
  },
  { files: ["bench/**", "examples/**", "src/cli/**", "test/**"], rules: { "no-console": "off" } },
);
