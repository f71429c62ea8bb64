const { MPTCPD_TEST_CAMPAIGN: campaign = "" } = process.env;

/**
 * How often a test repeats what it does: a few times in CI, which has to be quick, and many times in the campaigns of
 * .ci/nightly, which set MPTCPD_TEST_CAMPAIGN.
 */
export function rounds(usually: number, inCampaign: number): number {
  return campaign === "" ? usually : inCampaign;
}
