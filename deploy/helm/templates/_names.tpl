{{- define "larnn.selector" -}}
app.kubernetes.io/name: larnn
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: service
{{- end }}

{{- define "larnn.labels" -}}
{{ include "larnn.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "larnn.valkey" -}}
app.kubernetes.io/name: larnn
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: store
{{- end }}

{{- define "larnn.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* One variable of the container. */ -}}
{{- define "larnn.setting" -}}
- name: LARNN_{{ index . 0 }}
  value: {{ index . 1 | toString | quote }}
{{- end }}

{{- define "larnn.secret" -}}
- name: LARNN_{{ index . 0 }}
  valueFrom:
    secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}
{{- end }}
