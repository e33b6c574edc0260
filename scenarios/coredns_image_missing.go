// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cniproof/cniproof/framework/diagnosis"
	"github.com/cniproof/cniproof/framework/scenario"
)

// The pods of CoreDNS name an image that nobody has and that may not be pulled. DNS is
// down, and the network is innocent.
var _ = scenario.Register(scenario.Scenario{
	Name:     "coredns_image_missing",
	Title:    "the image of CoreDNS cannot be had",
	Expects:  diagnosis.NotNetworkImagePull,
	Topology: "two-node",
	Breaks:   []string{"dns.endpoints-ready"},
	MayBreak: []string{"audit.service-ready", "audit.service-selector"},
	Inject: func(ctx context.Context, t scenario.Target) error {
		return recreateCoreDNS(ctx, t, `{"spec":{"containers":[{"name":"coredns","image":"registry.invalid/coredns:v1","imagePullPolicy":"Never"}]}}`)
	},
	Heal: func(ctx context.Context, t scenario.Target) error {
		image, err := coreDNSImage(ctx, t)
		if err != nil {
			return err
		}
		return rollCoreDNS(ctx, t, fmt.Sprintf(`{"spec":{"containers":[{"name":"coredns","image":%q,"imagePullPolicy":"IfNotPresent"}]}}`, image))
	},
	Look: lookAtCoreDNS,
})

// coreDNSImage is the image of CoreDNS that the victim has.
func coreDNSImage(ctx context.Context, t scenario.Target) (string, error) {
	node, err := t.Cluster.Client.CoreV1().Nodes().Get(ctx, t.Node, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	for _, image := range node.Status.Images {
		for _, name := range image.Names {
			if strings.Contains(name, "/coredns:") && !strings.Contains(name, ".invalid/") {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("node %s has no image of CoreDNS", t.Node)
}
