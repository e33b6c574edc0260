// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/cniproof/cniproof/framework/cluster/engine"
	"github.com/cniproof/cniproof/framework/config"
)

// pullLimit is how long kindest/node, 400 MB, may take: building takes as long.
const pullLimit = 15 * time.Minute

// published returns kind's own node image of the wanted Kubernetes when it is in the
// engine already or can be pulled. A registry that does not answer is no failure: the
// image is built then.
func (b *builder) published(ctx context.Context, kubernetes string) (Image, bool) {
	image, ok := kindest(kubernetes)
	if !ok {
		b.progress.say("kind %s has no node image of Kubernetes %s, building one", kindRelease, kubernetes)
		return Image{}, false
	}
	if there, err := present(ctx, image.Ref); err == nil && there {
		return image, true
	}
	ref, err := name.ParseReference(image.Ref)
	if err != nil {
		b.progress.say("no kindest/node, building a node image: %v", err)
		return Image{}, false
	}
	registry := ref.Context().Registry
	if err := answers(ctx, registry.Scheme()+"://"+registry.RegistryStr()); err != nil {
		b.progress.say("no kindest/node, building a node image: %v", err)
		return Image{}, false
	}
	err = b.progress.step(ctx, "pulling "+image.Ref, func(ctx context.Context) error {
		bounded, cancel := context.WithTimeoutCause(ctx, pullLimit, fmt.Errorf("not pulled within %v", pullLimit))
		defer cancel()
		_, err := engine.Docker(bounded, "pull", "--quiet", image.Ref)
		return err
	})
	if err != nil {
		b.progress.say("no kindest/node, building a node image: %v", err)
		return Image{}, false
	}
	return image, true
}

// answers returns nil when an OCI registry is at the URL ("https://host"): its /v2/
// says 200, or 401 where it wants a token first (OCI distribution specification,
// "Determining Support"). Anything else, and nothing within the time a registry
// gets to answer, is an error.
func answers(ctx context.Context, url string) error {
	limit := config.DefaultTimeouts().RegistryAnswer
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, http.MethodGet, url+"/v2/", nil)
	if err != nil {
		return fmt.Errorf("ask the registry %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		if cause := context.Cause(bounded); cause != nil {
			err = cause
		}
		return fmt.Errorf("ask the registry %s: %w", url, err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("ask the registry %s: want status 200 or 401, got %s", url, response.Status)
	}
	return nil
}

var tagPattern = regexp.MustCompile(`:(v\d+\.\d+\.\d+[0-9A-Za-z.-]*)`)

// tagVersion returns the version in an image reference's tag, "v1.37.0"; empty
// when the tag is none.
func tagVersion(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	match := tagPattern.FindStringSubmatch(ref[strings.LastIndexByte(ref, '/')+1:])
	if match == nil {
		return ""
	}
	return match[1]
}

// minor returns "1.37" of "v1.37.0".
func minor(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// parseLabels splits what docker prints for two labels; it prints <no value>, or
// nothing, for one that is missing.
func parseLabels(text string) (kubernetes string, hasFlannel bool) {
	text = strings.ReplaceAll(text, "<no value>", "")
	kubernetes, flannel, _ := strings.Cut(text, " ")
	return kubernetes, flannel != ""
}
