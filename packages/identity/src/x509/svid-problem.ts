/** A certificate that is no X.509-SVID, or not of somebody known here. */
export class SvidProblem extends Error {
  override readonly name = "SvidProblem";
}
