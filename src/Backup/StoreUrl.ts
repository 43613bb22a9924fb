/** Stores by their address: a path, or `s3://bucket/prefix` with what the environment says of S3. */
import { Config, Context, Effect, Layer, Option } from "effect"
import type { HttpClient } from "effect/http"
import { layerDirectory } from "./DirectoryStore.ts"
import { ObjectStore, StoreFailed } from "./ObjectStore.ts"
import { layerS3 } from "./S3Store.ts"

/** Whether a text names a bucket, and not a path. */
export const isBucketUrl = (text: string): boolean => text.startsWith("s3://")

const either = (name: string, other: string) =>
  Config.option(Config.orElse(Config.String(name), () => Config.String(other)))

const s3Of = (url: string) =>
  Effect.gen(function* () {
    const [, bucket = "", prefix = ""] = /^s3:\/\/([A-Za-z0-9][A-Za-z0-9.-]*)(?:\/([A-Za-z0-9._/-]*))?$/.exec(url) ?? []
    if (bucket === "") {
      return yield* new StoreFailed({ message: `"${url}" is no bucket: write s3://bucket or s3://bucket/prefix` })
    }
    const region = yield* either("AWS_REGION", "AWS_DEFAULT_REGION")
    const endpoint = yield* either("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    const sessionToken = yield* Config.option(Config.Redacted("AWS_SESSION_TOKEN"))
    return layerS3({
      bucket,
      prefix,
      accessKeyId: yield* Config.String("AWS_ACCESS_KEY_ID"),
      secretAccessKey: yield* Config.Redacted("AWS_SECRET_ACCESS_KEY"),
      ...(Option.isSome(region) ? { region: region.value } : {}),
      ...(Option.isSome(endpoint) ? { endpoint: endpoint.value } : {}),
      ...(Option.isSome(sessionToken) ? { sessionToken: sessionToken.value } : {})
    })
  })

/**
 * The store at a path or at `s3://bucket/prefix`. For S3 it reads the variables that Amazon's tools read:
 * `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, and if they are set `AWS_SESSION_TOKEN`, `AWS_REGION` and
 * `AWS_ENDPOINT_URL`, which names another service. Fails with `StoreFailed` if the address is none, and with
 * `ConfigError` if a variable is missing.
 */
export const layerUrl = (
  url: string
): Layer.Layer<ObjectStore, StoreFailed | Config.ConfigError, HttpClient.HttpClient> =>
  isBucketUrl(url) ? Layer.unwrap(s3Of(url)) : layerDirectory({ directory: url })

/** {@link layerUrl}, opened. */
export const openStore = (url: string) =>
  Effect.map(Effect.scoped(Layer.build(layerUrl(url))), (context) => Context.get(context, ObjectStore))
