// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// flagDay is the size of UDP answers that pass unfragmented nearly everywhere
// (DNS flag day 2020).
const flagDay = 1232

// sizes are the numbers of addresses whose answer is larger than 512 bytes, the
// limit of plain DNS over UDP (RFC 1035, section 4.2.1), and larger than
// flagDay: an A record has 16 bytes when its name is compressed.
var sizes = []int{50, 100}

// Two headless Services without pods are made, of 50 and of 100 addresses of a
// range for documentation (RFC 5737), which nothing is sent to. From a pod on
// every node their names are looked up: plainly, where the server cuts the
// answer short and the client goes on over TCP; with EDNS, where the smaller
// comes whole in one large datagram; and over TCP. All addresses must arrive.
//
// What could fool it: a server that is set up to send smaller answers over UDP
// only has the client go on over TCP, which is as good. A server that has not
// heard of the new Services yet; pods wait a moment before they ask, and each
// attempt makes others.
//
// Turns red with: iptables -I FORWARD -d <the node's podCIDR> -p udp --sport 53
// -m length --length 600:1500 -j DROP (on a node)
var _ = check.Register(check.Check{
	ID:       "dns.large-answer",
	Title:    "answers larger than 512 and than 1232 bytes arrive whole, on every node",
	Level:    check.Required,
	Requires: []string{"dns.service-name"},
	Run: func(ctx context.Context, env *check.Env) error {
		var lookups []lookup
		for _, size := range sizes {
			name, addrs, err := crowd(ctx, env, size)
			if err != nil {
				return err
			}
			plain := of(name, addrs)[0]
			extended := plain
			extended.edns = flagDay
			lookups = append(lookups, plain, extended)
		}
		return inquiry{lookups: lookups, times: 1, after: known}.ask(ctx, env)
	},
})

// crowd makes a headless Service with that many addresses.
func crowd(ctx context.Context, env *check.Env, size int) (name string, addrs []netip.Addr, err error) {
	service := &corev1.Service{
		ObjectMeta: meta(env, "large"),
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "dns", Port: 53}}},
	}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: meta(env, "large"), AddressType: discoveryv1.AddressTypeIPv4}
	slice.Labels[discoveryv1.LabelServiceName] = service.Name
	slice.Labels[discoveryv1.LabelManagedBy] = "cniproof"
	for addr := netip.MustParseAddr("198.51.100.1"); len(addrs) < size; addr = addr.Next() {
		addrs = append(addrs, addr)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{addr.String()}})
	}
	// The endpoints first: whoever hears of the Service can know them.
	if err := makeSlice(ctx, env, slice); err != nil {
		return "", nil, err
	}
	return service.Name, addrs, makeService(ctx, env, service)
}
