// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cniproof/cniproof/framework/check"
)

// Where a container has HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, its NO_PROXY holds
// the cluster's pod and Service ranges: else it asks the proxy for addresses
// that only the cluster knows, the API server's first of all. Pods of the system
// are judged too: kubeadm hands the proxy of its shell to them.
//
// What could fool it: values from ConfigMaps and Secrets, which are not read;
// a container whose NO_PROXY comes from one is left out. Some programs do not
// understand ranges in NO_PROXY and need names; the values themselves may hold a
// password and are not told.
//
// Turns red with: kubectl run web --image=<any> --env=HTTP_PROXY=http://proxy.invalid:3128
var _ = check.Register(check.Check{
	ID:       "audit.proxy",
	Title:    "pods that use a proxy do not use it for the cluster's own ranges",
	Level:    check.Advisory,
	NoProbes: true,
	Attempt:  timeouts.Attempt,
	Converge: timeouts.Audit,
	Run: func(ctx context.Context, env *check.Env) error {
		ranges := slices.Concat(env.Cluster.ServiceCIDRs, env.Cluster.PodCIDRs)
		if len(ranges) == 0 {
			return &check.Inconclusive{Why: "the cluster's pod and Service ranges are not known"}
		}
		wrong := faults{wanted: "the cluster's ranges in NO_PROXY"}
		err := eachPod(ctx, env, func(pod *corev1.Pod) {
			if ended(pod) {
				return
			}
			for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
				proxy, missing := proxied(c, ranges)
				if len(missing) == 0 {
					continue
				}
				wrong.add(owner(pod), pod.Namespace+"/"+pod.Name, fault{
					observed: fmt.Sprintf("container %s has %s, and NO_PROXY lacks %s", c.Name, proxy, some(missing)),
					fix:      "add " + some(missing) + ", .svc and .cluster.local to its NO_PROXY",
				})
			}
		})
		if err != nil {
			return err
		}
		return wrong.outcome()
	},
})

// proxied names the variable that sets a proxy and the ranges that are not
// exempt from it; none where no proxy is set, or the exemptions are not known.
func proxied(c corev1.Container, ranges []netip.Prefix) (proxy string, missing []string) {
	var exempt []string
	for _, e := range c.Env {
		switch strings.ToUpper(e.Name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY":
			if e.Value != "" || e.ValueFrom != nil {
				proxy = e.Name
			}
		case "NO_PROXY":
			if e.ValueFrom != nil {
				return "", nil
			}
			exempt = append(exempt, strings.Split(e.Value, ",")...)
		}
	}
	if proxy == "" || len(exempt) == 0 && len(c.EnvFrom) > 0 {
		return "", nil
	}
	for _, r := range ranges {
		if !slices.ContainsFunc(exempt, func(word string) bool { return exempts(strings.TrimSpace(word), r) }) {
			missing = append(missing, r.String())
		}
	}
	return proxy, missing
}

func exempts(word string, r netip.Prefix) bool {
	p, err := netip.ParsePrefix(word)
	return word == "*" || err == nil && p.Bits() <= r.Bits() && p.Contains(r.Addr())
}
