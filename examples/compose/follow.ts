/**
 * Keeps a file up to date with a cluster: the stock of each product by its name. The file has the position beside the
 * products, so a program that starts again goes on where it was, and takes each change once.
 *
 * With the URLs of nodes it follows them until it is stopped. Without, it follows a node in memory for a moment.
 */
import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Console, Effect, Layer, Stream } from "effect"
import { FetchHttpClient, HttpServer } from "effect/http"
import { Client, Lithair, Repository } from "lithair"
import { layerServer, runMain } from "lithair/node"
import { Product } from "./models.ts"

/** What the file holds. */
interface Kept {
  readonly position: Repository.Position
  readonly products: Readonly<Record<string, { readonly name: string; readonly stock: number }>>
}

const read = (file: string): Kept | undefined => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined)

/** A rename replaces the whole file or nothing: products and position stay together. */
const write = (file: string, kept: Kept): void => {
  writeFileSync(`${file}.new`, JSON.stringify(kept, null, 2))
  renameSync(`${file}.new`, file)
}

const take = ({ products }: Kept, told: Repository.Told<typeof Product>): Kept => {
  const { position } = told
  if (told.type === "bookmark") return { position, products }
  const { [told.id]: _, ...others } = products
  if (told.type === "deleted" || told.type === "erased" || told.type === "left") return { position, products: others }
  const { name, stock } = told.row
  return { position, products: { ...others, [told.id]: { name, stock } } }
}

/** Follows from the position in the file on, or begins with all products. */
const follow = (file: string) =>
  Stream.unwrap(
    Effect.map(Repository.make(Product), ({ changes }) => {
      const kept = read(file)
      return Stream.mapAccum(
        changes(kept === undefined ? { initial: true } : { after: kept.position }),
        () => kept ?? { position: "0", products: {} },
        (before, told) => {
          const after = take(before, told)
          write(file, after)
          return [after, [after]] as const
        }
      )
    })
  )

const elsewhere = (nodes: readonly [string, ...ReadonlyArray<string>]) =>
  Client.layer({ nodes }).pipe(Layer.provide(FetchHttpClient.layer))

const [file, ...nodes] = process.argv.slice(2)

/** Follows a cluster until it is stopped. */
const forEver = (file: string, nodes: readonly [string, ...ReadonlyArray<string>]) =>
  Stream.runForEach(follow(file), ({ position, products }) =>
    Console.log(`${position}: ${Object.keys(products).length} products`)
  ).pipe(Effect.provide(elsewhere(nodes)))

/** Changes products of a node in memory, and follows them in two goes. */
const demo = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-follow-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  const file = join(directory, "stock.json")
  const { create, delete: remove, patch } = yield* Repository.make(Product)
  const { row: anvil } = yield* create({ name: "Anvil", stock: 3 })
  const { row: nail } = yield* create({ name: "Nail", stock: 1_000 })
  const followed = (until: Record<string, number>) =>
    follow(file).pipe(
      Stream.takeUntil(({ products }) => {
        const stock = Object.values(products).map(({ name, stock }) => [name, stock])
        return JSON.stringify(Object.fromEntries(stock.toSorted())) === JSON.stringify(until)
      }),
      Stream.runDrain,
      Effect.timeout("20 seconds")
    )
  const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
  yield* Effect.provide(followed({ Anvil: 3, Nail: 1_000 }), elsewhere([url]))
  // While nobody follows, something happens.
  yield* patch(anvil.id, { stock: 2 })
  yield* remove(nail.id)
  yield* Effect.provide(followed({ Anvil: 2 }), elsewhere([url]))
  assert.deepEqual(read(file)?.products, { [anvil.id]: { name: "Anvil", stock: 2 } })
  yield* Console.log("follow: ok")
}).pipe(Effect.scoped)

const node = Lithair.layerHttp({ models: [Product] }).pipe(
  Layer.provide(Lithair.layerMemory),
  Layer.provideMerge(layerServer({ port: 0 }))
)

const [first, ...others] = nodes
if (file === undefined || first === undefined) demo.pipe(Effect.provide(node), Lithair.supervise, runMain)
else runMain(forEver(file, [first, ...others]))
