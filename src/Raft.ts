/** How a cluster agrees: its settings, its transports, the member, and the outcomes of a write that are not a result. */

export type { FormingRefused } from "./Cluster/Forming.ts"
export { Member, type MemberFailure } from "./Cluster/Member.ts"
export { layerNetwork, layerSockets } from "./Lithair/Peers.ts"
export { defaults, type RaftConfig } from "./Raft/core/RaftConfig.ts"
export { NotDone, NotDoneReason, UnknownOutcome } from "./Raft/node/Outcome.ts"
export { type MemoryNetwork, makeMemoryNetwork } from "./Raft/peers/MemoryNetwork.ts"
export { PeerListener } from "./Raft/peers/PeerListener.ts"
export { Transport } from "./Raft/peers/Transport.ts"
