/** What is on a node's disk: its data directory, and its log, which is both Raft's and the history. Bytes in EventStore/FORMAT.md. */
export { Directory, DirectoryMismatch, layerDirectory, NodeIdentity } from "./EventStore/Directory.ts"
export { type FileLogOptions, layerFile } from "./EventStore/FileLog.ts"
export type { EntryType, HardState, LogEntry } from "./EventStore/LogEntry.ts"
export { LogCorrupt, LogFailed, LogStore, type LogWrite, type Recovered } from "./EventStore/LogStore.ts"
export { layerMemory } from "./EventStore/MemoryLog.ts"
