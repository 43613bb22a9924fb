/** Where a node keeps its data: its directory, in files or in memory. The log in it is both Raft's and the history; bytes in EventStore/FORMAT.md. */
export { Directory, DirectoryMismatch, NodeIdentity } from "./EventStore/Directory.ts"
export { DirectoryInUse } from "./EventStore/DirectoryLock.ts"
export { LogCorrupt, LogFailed } from "./EventStore/LogStore.ts"
export { layerFile, layerMemory, type StorageFailure } from "./Lithair/Storage.ts"
export { LocalNode } from "./Local/LocalNode.ts"
