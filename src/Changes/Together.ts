/** Which models share one stream of changes. Pure. docs/http.md, "Changes". */
import type { Descriptor } from "../Model/Descriptor.ts"

/** The most models of one stream. */
export const modelsMaxCount = 64

/** Says what is wrong with the models of one stream, which all must be in the cluster's log. */
export const wrongTogether = (models: ReadonlyArray<Pick<Descriptor, "mode" | "path">>): ReadonlyArray<string> => {
  const paths = models.map(({ path }) => path)
  const local = models.filter(({ mode }) => mode === "local")
  return [
    ...(models.length === 0 ? ["takes at least one model"] : []),
    ...(models.length > modelsMaxCount ? [`takes at most ${modelsMaxCount} models`] : []),
    ...(new Set(paths).size < paths.length ? ["names a model twice"] : []),
    ...local.map(({ path }) => `cannot have ${path}: it stays on each node and has a stream of its own`)
  ]
}
