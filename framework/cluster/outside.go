// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"k8s.io/client-go/kubernetes"

	"github.com/cniproof/cniproof/fixtures/image"
	"github.com/cniproof/cniproof/framework/cluster/engine"
)

// outsideZone is the DNS zone fixtures/outside serves.
const outsideZone = "outside.test"

func outsideName(cluster string) string { return cluster + "-outside" }

// findOutside returns the outside of a cluster of ours, nil where it does not
// run.
func findOutside(ctx context.Context, cluster string) (*Outside, error) {
	containers, err := containersWith(ctx, labelCluster, cluster)
	if err != nil {
		return nil, fmt.Errorf("look for the world outside of %s: %w", cluster, err)
	}
	i := slices.IndexFunc(containers, func(c container) bool { return c.Name == outsideName(cluster) && c.State.Running })
	if i < 0 {
		return nil, nil
	}
	return &Outside{Addrs: containers[i].addrs(), Zone: outsideZone}, nil
}

// ensureOutside makes sure that the container that plays the internet runs, with
// the image of the present sources, and that CoreDNS asks it for every name that
// is not the cluster's: so no lookup leaves this machine.
func (k *kind) ensureOutside(ctx context.Context, r record, client kubernetes.Interface) error {
	archive, err := image.Build(ctx, "fixtures/outside", k.Log)
	if err != nil {
		return fmt.Errorf("build the world outside the cluster: %w", err)
	}
	containers, err := containersWith(ctx, labelCluster, r.Name)
	if err != nil {
		return fmt.Errorf("look for the world outside of %s: %w", r.Name, err)
	}
	runs := len(containers) == 1 && containers[0].State.Running && containers[0].Config.Image == archive.Ref
	if !runs {
		err := k.steps.do("starting "+outsideName(r.Name), func() error {
			if err := removeWith(ctx, labelCluster, r.Name); err != nil {
				return err
			}
			return runOutside(ctx, r.Name, archive)
		})
		if err != nil {
			return fmt.Errorf("start the world outside the cluster: %w", err)
		}
	}
	outside, err := findOutside(ctx, r.Name)
	if err != nil {
		return err
	}
	if outside == nil || len(outside.Addrs) == 0 {
		said, _ := engine.Docker(ctx, "logs", "--tail", "5", outsideName(r.Name))
		return fmt.Errorf("start the world outside the cluster: wanted container %s running, observed it gone: %s", outsideName(r.Name), said)
	}
	if !runs {
		if err := answersNames(ctx, outside.Addrs[0]); err != nil {
			return err
		}
	}
	return forwardCoreDNS(ctx, client, outside.Addrs)
}

func runOutside(ctx context.Context, cluster string, archive image.Archive) error {
	_, err := engine.Docker(ctx, "image", "inspect", "--format", "{{.Id}}", archive.Ref)
	if err != nil {
		if _, err := engine.Docker(ctx, "load", "--quiet", "--input", archive.Path); err != nil {
			return err
		}
	}
	_, err = engine.Docker(ctx, "run", "--detach", "--name", outsideName(cluster), "--hostname", "outside",
		"--network", networkName, "--label", labelCluster+"="+cluster, "--pull", "never", archive.Ref)
	return err
}

// answersNames waits until the outside answers for its own zone.
func answersNames(ctx context.Context, addr netip.Addr) error {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(outsideZone), dns.TypeSOA)
	server := net.JoinHostPort(addr.String(), "53")
	err := poll(ctx, func(ctx context.Context) error {
		answer, err := dns.ExchangeContext(ctx, question, server)
		if err != nil {
			return err
		}
		if answer.Rcode != dns.RcodeSuccess {
			return errors.New("it says " + strings.ToLower(dns.RcodeToString[answer.Rcode]))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ask the world outside the cluster at %s for the zone %s: %w", server, outsideZone, err)
	}
	return nil
}
