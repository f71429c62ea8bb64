import { join } from "node:path";
import { describe } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { testAnswers } from "./option-answers.ts";

/** The sanitizer's library, if its tests run; see tools/test.mjs. */
const { MPTCPIZE_ASAN } = process.env;
const library = join(checkout, MPTCPIZE_ASAN === undefined ? "dist" : "dist/asan", "libmptcpwrap.so");
const preloaded = MPTCPIZE_ASAN === undefined ? library : `${MPTCPIZE_ASAN}:${library}`;

describe("socket options that MPTCP refuses, by preload", { skip: requires({ tools: ["python3"] }) }, () =>
  testAnswers({ prefix: [`LD_PRELOAD=${preloaded}`], left: [], surmounted: [] }),
);
