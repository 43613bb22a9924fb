/** A page whose lists stay right in every window, on three nodes: open it on two of them, and kill one. See live/README.md. */
import { Layer } from "effect"
import { HttpRouter } from "effect/http"
import { Lithair } from "lithair"
import { run } from "lithair/node"
import { Task } from "./live/models.ts"
import { page } from "./live/page.ts"

const routes = Layer.mergeAll(Lithair.layerRoutes(), page)
const quiet = { disableLogger: true, disableListenLog: true }

run(HttpRouter.serve(routes, quiet).pipe(Layer.provideMerge(Lithair.layer({ models: [Task] }))), {
  directory: ".lithair/live",
  path: "/",
  curls: [
    `curl -X POST http://127.0.0.1:8081/api/tasks -H 'content-type: application/json' -d '{"title":"Water the plants","isDone":false}'`,
    "curl -N 'http://127.0.0.1:8082/api/tasks/live?isDone=eq.false&order=title'"
  ]
})
