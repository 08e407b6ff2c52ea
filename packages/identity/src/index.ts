/** Who this process is, and how it knows the others. The authority is `@inmesh/identity/ca`, tokens are `@inmesh/identity/jwt`. */

export { SvidProblem } from "./x509/svid-problem.js";
