/** Put a node together: an application, its place in the cluster, its storage and its transport, as layers. */
export { type Checked, check } from "./Lithair/check.ts"
export { layerHost, layerMemory, type NodePlace } from "./Lithair/Host.ts"
export { Lifecycle, launch, layerTest, type NodeFailure, type Supervised, supervise } from "./Lithair/Lifecycle.ts"
export {
  type AnyProjection,
  type Application,
  layer,
  type NeededBy,
  type NodeServices,
  type OpeningFailure
} from "./Lithair/Node.ts"
export type { PeerTls } from "./Lithair/PeerTls.ts"
export {
  BadEdge,
  layer as layerPlace,
  layerConfig as layerPlaceConfig,
  type Peer,
  Place,
  type PlaceFailure,
  type PlaceOptions
} from "./Lithair/Place.ts"
export { layerHttp, layerRoutes } from "./Lithair/Serve.ts"
export { ModelMismatch } from "./Local/checkModels.ts"
export type { Retention } from "./Local/Retention.ts"
export type { Finding, ModelReport } from "./Machine/ModelCheck.ts"
export { BadAddress, BadId } from "./Raft/peers/Address.ts"
export { BadCertificate } from "./Raft/peers/Certificates.ts"
export type { PeersFailure } from "./Raft/peers/PeerSockets.ts"
export { PeersUnheard } from "./Raft/peers/PeerTls.ts"
export { WeakSecret } from "./Raft/peers/Secret.ts"
export { SqlProjections, type SqlStatus } from "./Sql/SqlProjections.ts"
