/**
 * The routes of a node as layers. Mount each on the router of your choice, with your own middleware around it. The services
 * that they ask of a node are types here, so that an application's declarations can name them; `Lithair.layer` gives them.
 */
export type { Changes } from "./Changes/Changes.ts"
export { BadTokenFile, layerAdminToken } from "./Http/AdminToken.ts"
export { type Authentication, caller } from "./Http/Authentication.ts"
export type { ForwardedHeader } from "./Http/ClientAddress.ts"
export type { EdgeOptions } from "./Http/EdgeOptions.ts"
export { type MountOptions, routerConfig } from "./Http/Mount.ts"
export { type Check, readyChecks } from "./Http/NodeRoutes.ts"
export { OpenToOthers } from "./Http/OpenMode.ts"
export { NotForClients, OperatorServer } from "./Http/OperatorServer.ts"
export { layerOperators } from "./Http/Operators.ts"
export type { LoggedRequest, RequestLogOption } from "./Http/RequestLog.ts"
export {
  type ApiServices,
  type DocsOptions,
  layerAdmin,
  layerApi,
  layerDocs,
  layerHealth,
  layerNotFound,
  layerPeers,
  type OperatorServices
} from "./Http/Routes.ts"
export { type Served, Serving } from "./Http/Serving.ts"
export type { Rate } from "./Http/TokenBuckets.ts"
export type { LiveQueries } from "./Live/LiveQueries.ts"
export { Problem, type ProblemError, problem, toResponse } from "./Problem.ts"
export { Unprotected } from "./Raft/peers/PeerListener.ts"
export type { Commands } from "./Repository/Commands.ts"
export type { Records } from "./Repository/Records.ts"
