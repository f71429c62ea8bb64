const { MPTCPD_TEST_CAMPAIGN: campaign = "" } = process.env;

/**
 * How often a test repeats what it does, or which cases it tries: a few in CI, which has to be quick, and many in the
 * campaigns of .ci/nightly, which set MPTCPD_TEST_CAMPAIGN.
 */
export function rounds<Rounds>(usually: Rounds, inCampaign: Rounds): Rounds {
  return campaign === "" ? usually : inCampaign;
}
