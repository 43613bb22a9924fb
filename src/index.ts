/**
 * Namespaces only: one per room that a node needs. Each is an entry point of its own too, as in `lithair/model`. What tests
 * need is in `lithair/testing` only, so that no node loads it.
 */
export * as Access from "./Access.ts"
export * as Backup from "./Backup.ts"
export * as Client from "./Client.ts"
export * as Command from "./Command.ts"
export * as EventStore from "./EventStore.ts"
export * as Http from "./Http.ts"
export * as Lithair from "./Lithair.ts"
export * as Model from "./Model.ts"
export * as Projection from "./Projection.ts"
export * as Raft from "./Raft.ts"
export * as Reaction from "./Reaction.ts"
export * as Repository from "./Repository.ts"
