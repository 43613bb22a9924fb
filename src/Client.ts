/** Use a cluster from another program or a browser, over HTTP: it provides the `Repository` that a node's own code has too. */

export { layer, make } from "./Client/far/Client.ts"
export type { ClientOptions } from "./Client/far/Sending.ts"
