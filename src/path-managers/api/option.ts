/**
 * Schemas for the values of [plugin NAME] sections: from the text to what it means, with messages as mptcpd's own have.
 */
export {
  globs,
  integer,
  interfaceGlobs,
  list,
  nonEmpty,
  prefixes,
  seconds,
  yesOrNo,
} from "../../control/config/values.ts";
