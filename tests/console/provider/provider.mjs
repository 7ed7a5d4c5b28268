// An OpenID Connect provider for one client: node provider.mjs PORT REDIRECT_URI SECRET
// Anybody may sign in under any name; the groups are what stands after the dash: jo-ward-nurses.
// "jo-ward-nurses as kim" is jo, who calls himself kim since today.
import Provider from "oidc-provider";

const [port, redirect, secret] = process.argv.slice(2);
const called = (login) => login.split(" as ")[1] ?? login;
const groups = (login) => (login.includes("-") ? [login.slice(login.indexOf("-") + 1)] : []);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "wardseal", client_secret: secret, redirect_uris: [redirect],
    grant_types: ["authorization_code"], response_types: ["code"],
  }],
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups"],
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["of a test"] },
  findAccount: (_, login) => ({
    accountId: login,
    claims: () => ({
      sub: login.split(" as ")[0], name: `${called(login)} of the hospital`, preferred_username: called(login),
      groups: groups(login.split(" as ")[0]),
    }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
