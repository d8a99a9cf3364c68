"""What the server and its consoles say to each other under `/api/v1`: the table of calls.

The types are msgspec's and stand beside this module, by their nouns. Times are RFC 3339 in UTC. Lists are
pages. Every error is a `Problem` (RFC 9457). Clients accept fields that they do not know, so an older console
works with a newer server.

| call | takes | gives |
| --- | --- | --- |
| `POST /api/v1/login` | `LoginRequest` | `LoginAnswer` |
| `POST /api/v1/logout` | | 204 |
| `GET /api/v1/me` | | `Person` |
| `POST /api/v1/me/password` | `NewPassword` | `Ended` |
| `GET /api/v1/me/totp` | | `Totp` |
| `POST /api/v1/me/totp` | `NewTotp` | `TotpOffer` |
| `POST /api/v1/me/totp/confirm` | `TotpCode` | `RecoveryCodes` |
| `GET /api/v1/me/sessions` | | `SessionPage` |
| `DELETE /api/v1/me/sessions/{id}` ends one | | 204 |
| `POST /api/v1/me/sessions/revoke-all` | | `Ended` |
| `GET /api/v1/me/tokens` | | `TokenPage` |
| `POST /api/v1/me/tokens` | `NewToken` | `MadeToken` |
| `DELETE /api/v1/me/tokens/{id}` revokes one | | 204 |
| `GET /api/v1/status` | | `ServerStatus` |
| `GET /api/v1/tickets?state=&client=&host=&owner=&q=&…&limit=&cursor=`, see docs/desk.md | | `TicketPage` |
| `POST /api/v1/tickets` | `NewTicket` | `TicketDetail` |
| `GET /api/v1/tickets/{id}` | | `TicketDetail` |
| `POST /api/v1/tickets/{id}/take`, `/release`, `/resume` | `Change` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/wait` | `Wait` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/acknowledge` | `Acknowledgement` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/comment` | `NewComment` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/resolve` | `Resolution` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/reopen`, `/close` | `Change` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/prioritise` | `Prioritisation` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/link`, `/unlink` | `Link` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/merge` | `Merge` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/unmerge` | `Unmerge` | `TicketDetail` |
| `POST /api/v1/tickets/{id}/assign` | `Assign` | `TicketDetail` |
| `GET /api/v1/teams?mine=` | | `TeamPage` |
| `GET /api/v1/teams/{slug}` | | `Team` |
| `POST /api/v1/tickets/{id}/watch`, `/unwatch` | | `TicketDetail` |
| `POST /api/v1/tickets/{id}/looking` | `Looking` | `Lookers` |
| `POST /api/v1/tickets/bulk` | `BulkAct` | `BulkAnswer` |
| `GET /api/v1/clients/{slug}/sites` | | `SitePage` |
| `GET /api/v1/clients/{slug}/requesters` | | `RequesterPage` |
| `POST /api/v1/clients/{slug}/requesters` | `NewRequester` | `Requester` |
| `GET /api/v1/contracts?client=` | | `ContractPage` |
| `GET /api/v1/contracts/{id}?version=` | | the contract, as its file would be |
| `PUT /api/v1/contracts/{id}` | the contract, `If-Match` | `ContractVersion` |
| `GET /api/v1/contracts/{id}/versions` | | `ContractVersions` |
| `GET /api/v1/alerts?state=active\\|all&client=&host=` | | `AlertPage` |
| `GET /api/v1/alerts/{id}` | | `Alert` |
| `GET /api/v1/alerts/{id}/chart?minutes=` | | `Chart` |
| `GET /api/v1/why` | | `AlertPage` |
| `GET /api/v1/alerts/{id}/why` | | `Why` |
| `GET /api/v1/tickets/{id}/why` | | `TicketWhy` |
| `GET /api/v1/silences?which=active\\|all&client=` | | `SilencePage` |
| `POST /api/v1/silences` | `NewSilence` | `Silence` |
| `GET /api/v1/silences/{id}` | | `Silence` |
| `DELETE /api/v1/silences/{id}` ends it | | `Silence` |
| `GET /api/v1/hosts?client=` | | `HostPage` |
| `GET /api/v1/hosts/{id}` | | `HostDetail` |
| `GET /api/v1/hosts/{id}/chart?vital=cpu&minutes=60` | | `Chart` |
| `GET /api/v1/query?query=&time=&client=&limit=` | | `QueryAnswer` |
| `GET /api/v1/events` | `Last-Event-ID` | server-sent events, see `events.EVENTS` |

Authorisation is `Authorization: Bearer TOKEN`. A ticket's verbs are compare-and-set: with `version` given, or
its tag in `If-Match`, a ticket that has changed since is refused with 412; taking a ticket that somebody else
owns is 409. With an `Idempotency-Key` a change that is sent again is done once (`docs/api.md`).
"""

PREFIX = "/api/v1"
MAX_PAGE = 500
MAX_TEXT = 20_000
