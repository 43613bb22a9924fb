import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layerFile, layerMemory } from "../../src/EventStore/Snapshots.ts"
import { snapshotStoreContract } from "./snapshotStoreContract.ts"

const freshDirectory = () => mkdtempSync(join(tmpdir(), "lithair-snapshots-"))

snapshotStoreContract("memory", () => layerMemory)
snapshotStoreContract("file", () => layerFile({ directory: freshDirectory() }))
