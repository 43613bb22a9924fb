/** Namespaces only: one per room that a user meets. Each is an entry point of its own too, as in `lithair/Model`. */
export * as EventStore from "./EventStore.ts"
export * as Lithair from "./Lithair.ts"
export * as Model from "./Model.ts"
export * as Projection from "./Projection.ts"
export * as Raft from "./Raft.ts"
export * as Reaction from "./Reaction.ts"
export * as Repository from "./Repository.ts"
export * as Testing from "./Testing.ts"
