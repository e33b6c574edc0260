// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"net/http"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/target"
)

// From a pod on every node a page of each HTTP target is asked for, as programs
// would that honour the configured proxy. Any answer of the server counts but
// those that say it has none: a status of 500 or more.
//
// What could fool it: a portal or a filter that answers in the target's stead.
//
// Turns red with: iptables -I FORWARD -d <target> -p tcp --dport 80 -m length
// --length 100:65535 -j DROP (on a node: the handshake passes, the request does not)
var _ = check.Register(check.Check{
	ID:       "egress.http",
	Title:    "a pod gets answers from outside the cluster over HTTP, from every node",
	Level:    check.Required,
	Requires: []string{"egress.tcp"},
	Run:      func(ctx context.Context, env *check.Env) error { return web(ctx, env, target.HTTP) },
})

// web asks for pages of targets of the scheme.
func web(ctx context.Context, env *check.Env, scheme string) error {
	proxies := settings{proxy: env.EgressProxy, no: env.EgressNoProxy}
	return trip{
		what: "an answer over " + scheme + " from", schemes: []string{scheme}, hint: scheme + "://host:port", figure: "GET " + scheme,
		jobs:    func(to target.Target) []job.Job { return []job.Job{proxies.page(to)} },
		arrived: answered,
	}.run(ctx, env)
}

// answered tells whether a server answered, if only that it does not have the
// page or that it is elsewhere.
func answered(r job.Result) bool {
	return r.OK || r.Error == job.HTTPStatus && r.Status < http.StatusInternalServerError
}
