// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/target"
)

// As egress.http, over TLS. The certificate is not verified: whom a pod trusts
// is a matter of its image.
//
// What could fool it: an inspecting proxy that ends TLS in the target's stead.
//
// Turns red with: iptables -I FORWARD -d <target> -p tcp --dport 443 -m length
// --length 100:65535 -j DROP (on a node: the handshake passes, TLS does not)
var _ = check.Register(check.Check{
	ID:       "egress.https",
	Title:    "a pod gets answers from outside the cluster over HTTPS, from every node",
	Level:    check.Required,
	Requires: []string{"egress.tcp"},
	Run:      func(ctx context.Context, env *check.Env) error { return web(ctx, env, target.HTTPS) },
})
