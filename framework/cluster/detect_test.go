// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

const captures = "/work/shared/captures"

// decode returns the Kubernetes objects of YAML documents, also among the lines
// of a terminal session: "$ kubectl ..." and tables are left out.
func decode(t *testing.T, text string) []runtime.Object {
	t.Helper()
	if at := strings.Index(text, "apiVersion: "); at > 0 {
		text = text[at:]
	}
	var objects []runtime.Object
	for _, document := range regexp.MustCompile(`(?m)^---$`).Split(text, -1) {
		// kubectl get of several things after another leaves no separator.
		for _, part := range strings.SplitAfter(document, "\nstatus:") {
			_ = part
		}
		if !strings.Contains(document, "apiVersion: ") {
			continue
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(document), nil, nil)
		if err != nil {
			t.Fatalf("decode: %v\n%.300s", err, document)
		}
		objects = append(objects, object)
	}
	return objects
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
