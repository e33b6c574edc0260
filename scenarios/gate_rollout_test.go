// SPDX-License-Identifier: Apache-2.0

package scenarios_test

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/cluster/nodeimage"
	"github.com/cniproof/cniproof/framework/report"
)

// flannelReconfigured rolls flannel out with another configuration: node after node,
// its agent starts with traffic between nodes also going directly where they share a
// network.
var flannelReconfigured = upgrade{
	name: "flannel_reconfigured", areas: []string{"node", "cni", "pod"}, verdict: report.Success, topologies: []string{"default", "two-node"},
	command: `kubectl -n kube-flannel get cm kube-flannel-cfg -o yaml | sed 's/"Type": "vxlan"/"Type": "vxlan", "DirectRouting": true/' | kubectl apply -f - && kubectl -n kube-flannel rollout restart ds/kube-flannel-ds && kubectl -n kube-flannel rollout status ds/kube-flannel-ds --timeout=180s`,
	heal:    `kubectl -n kube-flannel get cm kube-flannel-cfg -o yaml | sed 's/"Type": "vxlan", "DirectRouting": true/"Type": "vxlan"/' | kubectl apply -f - && kubectl -n kube-flannel rollout restart ds/kube-flannel-ds && kubectl -n kube-flannel rollout status ds/kube-flannel-ds --timeout=180s`,
}

// coreDNSReplaced rolls out the next minor version of CoreDNS.
var coreDNSReplaced = upgrade{
	name: "coredns_replaced", areas: []string{"dns"}, verdict: report.Success,
	prepare: func(ctx context.Context, c *cluster.Cluster) (string, error) {
		next, err := nodeimage.CoreDNSUpgrade(ctx, os.Stderr, "1.15")
		if err != nil {
			return "", err
		}
		return "IMAGE=" + next.Ref + "; ", cluster.LoadImage(ctx, c, next.Images.Path, next.Ref)
	},
	command: `kubectl -n kube-system set image deployment/coredns coredns=$IMAGE && kubectl -n kube-system rollout status deployment/coredns --timeout=180s`,
	heal:    `kubectl -n kube-system rollout undo deployment/coredns && kubectl -n kube-system rollout status deployment/coredns --timeout=180s`,
}

// kubernetesInPlace is what kubeadm's documentation says of an upgrade: the control
// plane first, then each worker drained, with the kubelet replaced at last.
// https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/
var kubernetesInPlace = upgrade{
	name: "kubernetes_in_place", from: "1.35", verdict: report.Success, topologies: []string{"default", "two-node"},
	// Nine minutes, and what it takes to build the node image of the old version once.
	takes: 30 * time.Minute,
	// kubeadm replaces kube-proxy and CoreDNS at once: a node whose kube-proxy is between
	// two pods sends to a CoreDNS that is gone, for 0.1 to 1.4 s as a rule, once 5.7 s.
	budget: "dns=15s,total=20s",
	prepare: func(ctx context.Context, c *cluster.Cluster) (string, error) {
		next, err := nodeimage.KubernetesUpgrade(ctx, os.Stderr, "1.36")
		if err != nil {
			return "", err
		}
		return "PROGRAMS=" + next.Programs + "; VERSION=" + next.Version + "; ", cluster.LoadImage(ctx, c, next.Images.Path, next.Ref)
	},
	command: strings.TrimSpace(`
set -e
kubelet() {
	docker cp "$PROGRAMS/kubelet" "$1:/usr/bin/kubelet"
	docker cp "$PROGRAMS/kubectl" "$1:/usr/bin/kubectl"
	docker exec "$1" sh -c 'systemctl daemon-reload && systemctl restart kubelet'
	until [ "$(kubectl get node "$1" -o jsonpath='{.status.nodeInfo.kubeletVersion} {.status.conditions[?(@.type=="Ready")].status}')" = "$VERSION True" ]; do sleep 1; done
	echo "$1 has $VERSION"
}
again() { for i in 1 2 3 4 5 6 7 8 9; do "$@" && return; sleep 5; done; "$@"; }
docker cp "$PROGRAMS/kubeadm" "$CP:/usr/bin/kubeadm"
docker exec "$CP" kubeadm upgrade apply --yes --ignore-preflight-errors=all "$VERSION"
# The old pods of CoreDNS go before the API server does, which takes them out of Services.
kubectl -n kube-system rollout status ds/kube-proxy --timeout=180s
kubectl -n kube-system rollout status deployment/coredns --timeout=180s
kubelet "$CP"
# A kubelet of another minor version starts the static pods again, a while after: what is
# drained while the API server is away keeps its place in every Service.
for i in $(seq 60); do kubectl get --raw /readyz >/dev/null || break; sleep 1; done
again kubectl get --raw /readyz
for node in $WORKERS; do
	docker cp "$PROGRAMS/kubeadm" "$node:/usr/bin/kubeadm"
	again docker exec "$node" kubeadm upgrade node --ignore-preflight-errors=all
	again kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=180s
	kubelet "$node"
	again kubectl uncordon "$node"
done`),
}
