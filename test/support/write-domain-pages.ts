import { writeFileSync } from "node:fs";
import { DOMAIN_PAGES, domainPage } from "./domain-pages.ts";

for (const [file, definition] of DOMAIN_PAGES) writeFileSync(file, domainPage(file, definition));
