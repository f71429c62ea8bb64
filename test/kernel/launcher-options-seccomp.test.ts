import { describe } from "node:test";
import { launcher } from "../lab/launcher.ts";
import { requires } from "../lab/requires.ts";
import { testAnswers } from "./option-answers.ts";

describe(
  "socket options that MPTCP refuses, by seccomp",
  {
    skip: requires({ tools: ["python3"] }),
  },
  () =>
    testAnswers({
      prefix: [launcher, "run", "--how=seccomp"],
      left: [
        "SO_ATTACH_FILTER",
        "SO_ATTACH_BPF",
        "SO_ATTACH_REUSEPORT_CBPF",
        "SO_ATTACH_REUSEPORT_EBPF",
        "TCP_ZEROCOPY_RECEIVE",
      ],
      // The supervisor has files of its own.
      surmounted: ["files-0", "files-1", "files-2", "files-3"],
    }),
);
