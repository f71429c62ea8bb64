// Downloads and builds what the tests need beyond the programs, so that .ci/run can do it beside other work:
//   node tools/prepare-tests.mjs
// The tests themselves get what is still missing.
import { buildPackagesForTests } from "./packages-for-tests.mjs";
import { fetchForSystemTests } from "./system-downloads.mjs";

fetchForSystemTests();
buildPackagesForTests();
