/**
 * Builds the package for publication, in `dist`: JavaScript and declarations in `lib`, docs and examples beside them, and a
 * manifest whose entry points are the built files. In the checkout the entry points are the sources, so that examples and
 * tests import `lithair` unbuilt. A package needs built files: Node and Deno take no TypeScript from `node_modules`.
 */
import { spawnSync } from "node:child_process"
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = join(root, "dist")

rmSync(dist, { recursive: true, force: true })
const { status } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit"
})
if (status !== 0) process.exit(1)

const {
  allowScripts,
  devDependencies,
  private: isPrivate,
  scripts,
  ...manifest
} = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const built = (path: string): string => path.replace(/^\.\/src\/(.*)\.ts$/, "./lib/$1.js")
const exports = Object.fromEntries(Object.entries<string>(manifest.exports).map(([name, path]) => [name, built(path)]))
const bin = Object.fromEntries(Object.entries<string>(manifest.bin).map(([name, path]) => [name, built(path)]))
for (const path of Object.values(bin)) {
  // npm makes it executable when it installs the package.
  const program = join(dist, path)
  writeFileSync(program, `#!/usr/bin/env node\n${readFileSync(program, "utf8")}`)
}
writeFileSync(join(dist, "package.json"), `${JSON.stringify({ ...manifest, bin, exports }, null, 2)}\n`)
for (const name of ["README.md", "LICENSE", "docs", "examples"]) {
  cpSync(join(root, name), join(dist, name), { recursive: true })
}
