// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"net"

	"github.com/miekg/dns"
)

// resolverAddress is where containers' lookups of foreign names end. It is on the
// host's loopback device, so that it exists before docker's bridges do and every
// container reaches it through its own gateway; link-local (RFC 3927), so that it
// collides with no network of the host. Docker 20.10 forwards the lookups of its
// embedded DNS from the container's network namespace (libnetwork, resolver.go),
// and gives no answer at all when the server it forwards to gives none: a loopback
// address in the containers would make every foreign lookup hang.
const resolverAddress = "169.254.11.53"

// RefuseNames answers every DNS query on address (host:port, UDP and TCP) with
// REFUSED until ctx ends. It is the name server of containers that must not reach
// the host's: a lookup fails at once, and no packet of it leaves the machine.
func RefuseNames(ctx context.Context, address string) error {
	refuse := dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		w.WriteMsg(new(dns.Msg).SetRcode(query, dns.RcodeRefused))
	})
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return fmt.Errorf("listen for name lookups: %w", err)
	}
	defer packets.Close()
	streams, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for name lookups: %w", err)
	}
	defer streams.Close()
	failed := make(chan error, 2)
	for _, server := range []*dns.Server{
		{PacketConn: packets, Handler: refuse},
		{Listener: streams, Handler: refuse},
	} {
		go func() { failed <- server.ActivateAndServe() }()
	}
	select {
	case err := <-failed:
		return fmt.Errorf("answer name lookups on %s: %w", address, err)
	case <-ctx.Done():
		return nil
	}
}

// startResolver makes sure that the name server of the containers runs.
func (m *machine) startResolver(ctx context.Context) error {
	if _, err := run(ctx, "ip", "address", "replace", resolverAddress+"/32", "dev", "lo"); err != nil {
		return fmt.Errorf("add the address of the containers' name server: %w", err)
	}
	if m.record.Resolver.alive() {
		return nil
	}
	program, err := m.build(ctx, "engine")
	if err != nil {
		return err
	}
	address := net.JoinHostPort(resolverAddress, "53")
	daemon, err := m.launch("resolver", program, "refuse-names", address)
	if err != nil {
		return err
	}
	m.record.Resolver = daemon.process
	if err := m.record.save(m.dir); err != nil {
		return err
	}
	return daemon.await(ctx, func() bool { return refuses(ctx, address) })
}

func (m *machine) stopResolver(ctx context.Context) error {
	if err := m.record.Resolver.stop(ctx, interruptLimit); err != nil {
		return err
	}
	m.record.Resolver = process{}
	held, err := run(ctx, "ip", "-o", "address", "show", "to", resolverAddress)
	if err != nil {
		return fmt.Errorf("find the address of the containers' name server: %w", err)
	}
	if held == "" {
		return nil
	}
	if _, err := run(ctx, "ip", "address", "delete", resolverAddress+"/32", "dev", "lo"); err != nil {
		return fmt.Errorf("remove the address of the containers' name server: %w", err)
	}
	return nil
}

func refuses(ctx context.Context, address string) bool {
	client := dns.Client{Timeout: pollInterval}
	answer, _, err := client.ExchangeContext(ctx, new(dns.Msg).SetQuestion("cniproof.invalid.", dns.TypeA), address)
	return err == nil && answer.Rcode == dns.RcodeRefused
}
