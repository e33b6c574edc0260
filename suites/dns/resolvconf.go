// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"context"
	"fmt"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
)

// readConf reads a pod's resolver configuration.
var readConf = job.Job{ID: "resolv.conf", Kind: job.File, Address: "/etc/resolv.conf"}

// conf is a resolv.conf(5) as it is written; the last search line counts.
type conf struct {
	nameservers, search, options []string
}

func parseConf(text string) conf {
	var c conf
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			c.nameservers = append(c.nameservers, fields[1])
		case "search":
			c.search = fields[1:]
		case "options":
			c.options = append(c.options, fields[1:]...)
		}
	}
	return c
}

// domain is the cluster's DNS domain in the search list of a pod of the
// namespace: the kubelet begins it with ns.svc.domain, svc.domain and domain.
func (c conf) domain(namespace string) (string, bool) {
	if len(c.search) < 3 {
		return "", false
	}
	domain, ok := strings.CutPrefix(c.search[0], namespace+".svc.")
	return domain, ok && c.search[1] == "svc."+domain && c.search[2] == domain
}

func (c conf) String() string {
	return fmt.Sprintf("nameserver %s, search %s, options %s",
		strings.Join(c.nameservers, " "), strings.Join(c.search, " "), strings.Join(c.options, " "))
}

// anyConf is the resolver configuration of the first probe that can be asked.
func anyConf(ctx context.Context, env *check.Env) (conf, error) {
	var last error
	for _, node := range env.Nodes {
		pod, ok := env.Pods[node.Name]
		if !ok {
			continue
		}
		results, err := env.Probe.Run(ctx, pod, []job.Job{readConf})
		if err == nil && len(results) == 1 && results[0].OK {
			return parseConf(results[0].Text), nil
		}
		if last = err; err == nil {
			last = fmt.Errorf("read %s in %s/%s: %v", readConf.Address, pod.Namespace, pod.Name, results)
		}
	}
	return conf{}, &check.Inconclusive{Why: "no probe could be asked for its resolv.conf", Err: last}
}

// clusterDomain is the cluster's DNS domain, "cluster.local" as a rule. No API
// object has it: it is what the kubelet tells pods.
func clusterDomain(ctx context.Context, env *check.Env) (string, error) {
	c, err := anyConf(ctx, env)
	if err != nil {
		return "", err
	}
	domain, ok := c.domain(env.Namespace)
	if !ok {
		return "", &check.Inconclusive{Why: "a pod's resolv.conf does not tell the cluster's domain: " + c.String()}
	}
	return domain, nil
}
