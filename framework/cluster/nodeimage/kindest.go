// SPDX-License-Identifier: Apache-2.0

package nodeimage

import "sigs.k8s.io/kind/pkg/apis/config/defaults"

// kindRelease is the release of kind whose notes list these images. A node image
// fits the release it was built for only, so both change together.
const kindRelease = "v0.33.0"

// kindestImages are kind's own node images, its default first.
var kindestImages = []string{
	defaults.Image,
	"kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed",
	"kindest/node:v1.35.8@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0",
	"kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d",
}

// kindest returns kind's own node image of a Kubernetes minor version, its default
// for an empty one.
func kindest(kubernetes string) (Image, bool) {
	for _, ref := range kindestImages {
		version := tagVersion(ref)
		if kubernetes == "" || minor(version) == kubernetes {
			return Image{Ref: ref, Source: SourceKindest, Kubernetes: version}, true
		}
	}
	return Image{}, false
}
