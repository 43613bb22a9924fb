/** How a cluster agrees: its settings, its transports, the member, and the outcomes of a write that are not a result. */
export { layerNetwork, layerSockets } from "./Lithair/Peers.ts"
export type { FormingRefused } from "./Raft/Formed.ts"
export { Member, type MemberFailure } from "./Raft/Member.ts"
export { type MemoryNetwork, makeMemoryNetwork } from "./Raft/MemoryNetwork.ts"
export { NotDone, NotDoneReason, UnknownOutcome } from "./Raft/Outcome.ts"
export { PeerListener } from "./Raft/PeerListener.ts"
export { defaults, type RaftConfig } from "./Raft/RaftConfig.ts"
export { Transport } from "./Raft/Transport.ts"
