package main

import (
	"context"
	"errors"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	scaleclient "k8s.io/client-go/scale"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

// pod is a pod as the calculation sees it.
type pod struct {
	Name     string `json:"name"`
	Phase    string `json:"phase"`
	Ready    bool   `json:"ready"`
	Deleting bool   `json:"deleting"`
}

func (p pod) object() *corev1.Pod {
	made := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: "x", Labels: map[string]string{"app": "x"}}}
	made.Status.Phase = corev1.PodPhase(p.Phase)
	if p.Deleting {
		made.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	}
	ready := corev1.ConditionFalse
	if p.Ready {
		ready = corev1.ConditionTrue
	}
	made.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	return made
}

// podLister is a lister of the same pods whatever is asked for.
type podLister []*corev1.Pod

func podList(pods []pod) *podLister {
	made := make(podLister, len(pods))
	for i, one := range pods {
		made[i] = one.object()
	}
	return &made
}

func (l *podLister) Pods(string) corelisters.PodNamespaceLister  { return l }
func (l *podLister) List(labels.Selector) ([]*corev1.Pod, error) { return *l, nil }
func (l *podLister) Get(string) (*corev1.Pod, error)             { return nil, errors.New("not asked") }

// podInformer is an informer that knows those pods.
type podInformer struct {
	coreinformers.PodInformer
	lister *podLister
}

func newPodInformer(factory informers.SharedInformerFactory, lister *podLister) podInformer {
	return podInformer{factory.Core().V1().Pods(), lister}
}

func (i podInformer) Lister() corelisters.PodLister { return i.lister }

// reading is what the metrics API says of one metric: values by pod, or values, or an error.
type reading struct {
	Error  string           `json:"error"`
	Pods   map[string]int64 `json:"pods"`
	Values []int64          `json:"values"`
}

// metrics are readings by the name of the metric.
type metrics map[string]reading

func (m metrics) GetResourceMetric(context.Context, corev1.ResourceName, string, labels.Selector, string) (metricsclient.PodMetricsInfo, time.Time, error) {
	return nil, time.Time{}, errors.New("not asked")
}

func (m metrics) GetRawMetric(name string, _ string, _ labels.Selector, _ labels.Selector) (metricsclient.PodMetricsInfo, time.Time, error) {
	found := m[name]
	if found.Error != "" {
		return nil, time.Time{}, errors.New(found.Error)
	}
	if len(found.Pods) == 0 {
		return nil, time.Time{}, errors.New("no metrics returned from custom metrics API")
	}
	info := make(metricsclient.PodMetricsInfo, len(found.Pods))
	for pod, value := range found.Pods {
		info[pod] = metricsclient.PodMetric{Value: value}
	}
	return info, time.Time{}, nil
}

func (m metrics) GetObjectMetric(name string, _ string, _ *autoscaling.CrossVersionObjectReference, _ labels.Selector) (int64, time.Time, error) {
	found := m[name]
	if found.Error != "" {
		return 0, time.Time{}, errors.New(found.Error)
	}
	return found.Values[0], time.Time{}, nil
}

func (m metrics) GetExternalMetric(name, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	found := m[name]
	if found.Error != "" {
		return nil, time.Time{}, errors.New(found.Error)
	}
	if len(found.Values) == 0 {
		return nil, time.Time{}, errors.New("no metrics returned from external metrics API")
	}
	return found.Values, time.Time{}, nil
}

// scale is the scale subresource of the one workload; looks counts how often the controller has read it.
type scale struct {
	spec, status int32
	looks        int
}

func (s *scale) Scales(string) scaleclient.ScaleInterface { return s }

func (s *scale) Get(_ context.Context, _ schema.GroupResource, name string, _ metav1.GetOptions) (*autoscalingv1.Scale, error) {
	s.looks++
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "x"},
		Spec:       autoscalingv1.ScaleSpec{Replicas: s.spec},
		Status:     autoscalingv1.ScaleStatus{Replicas: s.status, Selector: "app=x"},
	}, nil
}

func (s *scale) Update(_ context.Context, _ schema.GroupResource, written *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	s.spec = written.Spec.Replicas
	return written, nil
}

func (s *scale) Patch(context.Context, schema.GroupVersionResource, string, types.PatchType, []byte, metav1.PatchOptions) (*autoscalingv1.Scale, error) {
	return nil, errors.New("not asked")
}
