/** How a cluster agrees, as those who run a node meet it: its settings, the member, and what may become of a write. */
export type { FormingRefused } from "./Raft/Formed.ts"
export { Member, type MemberFailure } from "./Raft/Member.ts"
export { NotDone, NotDoneReason, UnknownOutcome } from "./Raft/Outcome.ts"
export { defaults, type RaftConfig } from "./Raft/RaftConfig.ts"
