/** With which a request of the caller asks how it wants to be answered: a `Fault` as JSON. */
export const FAULT_HEADER = "x-chaos";
