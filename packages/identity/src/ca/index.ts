/** The certificate authority of a mesh. */

export { SvidProblem } from "../x509/svid-problem.js";
