export { type AxiosOptions, type AxiosRedirects, axiosOptions } from "./mesh-axios.js";
