/** Which tests there are: all but those that need what this machine does not permit. Each of these is named when it is left out. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { configDefaults, defineConfig } from "vitest/config"

/** A disk of its own takes the right to mount one; elsewhere files that refuse stand for it (diskSpace.test.ts). */
const needsMount = "test/processes/storage.test.ts"

const mayMount = (): boolean => {
  const path = mkdtempSync(join(tmpdir(), "lithair-mount-"))
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path]).status === 0
  if (isMounted) spawnSync("umount", ["-l", path])
  rmSync(path, { recursive: true })
  return isMounted
}

/** A project of its own, which finds no `lithair` here: test/package installs the package into a copy of it. */
const starter = "examples/starter/**"

const leftOut = mayMount() ? [] : [needsMount]
if (leftOut.length > 0) console.log(`Left out, since no disk may be mounted here: ${leftOut.join(", ")}`)

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    exclude: [...configDefaults.exclude, starter, ...leftOut],
    testTimeout: 30_000
  }
})
