/** Backups of a cluster to another place: scheduled, with restores to a point in time. docs/backup.md. */
export { type BackupStatus, Backups } from "./Backup/Backups.ts"
export { layerDirectory } from "./Backup/DirectoryStore.ts"
export { type EveryOptions, every } from "./Backup/Every.ts"
export { ObjectStore, StoreFailed } from "./Backup/ObjectStore.ts"
export { layerS3, type S3Options } from "./Backup/S3Store.ts"
export { layerUrl } from "./Backup/StoreUrl.ts"
