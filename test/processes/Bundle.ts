/** Where the bundle of a program lies (bundled.ts). */
import { existsSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** The place of a program of this checkout among the bundles. */
export const bundleIn = (directory: string, script: string): string =>
  join(directory, relative(root, script).replace(/\.ts$/, ".mjs"))

/** What Node runs for this program: its bundle, or the program itself where there is none. */
export const bundleOf = (script: string): string => {
  const directory = process.env.LITHAIR_BUNDLES
  if (directory === undefined || !script.startsWith(root)) return script
  const bundle = bundleIn(directory, script)
  return existsSync(bundle) ? bundle : script
}
