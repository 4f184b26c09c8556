import type { Bundle, BundleEntry, DiagnosticReport, Observation, Patient } from 'fhir/r4';
import type { Exam } from '../records/exam.ts';

/** Identifier systems of what this app creates. */
export const SYSTEMS = {
  bundle: 'urn:bellows:bundle',
  patient: 'urn:bellows:patient-reference',
  model: 'urn:bellows:model',
  observation: 'urn:bellows:observation',
  exam: 'urn:bellows:exam',
} as const;

const VERDICT_SYSTEM = 'urn:bellows:verdict';

/** Verdicts in words for people who read the record elsewhere. */
const VERDICT_WORDS = {
  pneumonia: 'Signs of pneumonia',
  'no-pneumonia': 'No signs of pneumonia found',
  uncertain: 'Uncertain: a doctor should read this film',
  refused: 'Not read: the picture could not be judged',
} as const;

/** Identifiers of the entries, made once, so that the same Bundle can be sent again and again. */
export interface BundleIds {
  patient: string;
  device: string;
  observation: string;
  report: string;
}

/** New random identifiers. */
export function newBundleIds(): BundleIds {
  const id = () => crypto.randomUUID();
  return { patient: id(), device: id(), observation: id(), report: id() };
}

/**
 * One exam as one FHIR R4 transaction: every entry a conditional create under an identifier made
 * here, so a server stores it once however often it arrives.
 * @param deviceId scopes the patient reference: "12" of two clinics are two children.
 */
export function examBundle(exam: Exam, deviceId: string, ids: BundleIds): Bundle {
  const { reading, readBy } = exam;
  const url = (id: string) => `urn:uuid:${id}`;
  const subject = exam.patientReference ? { subject: { reference: url(ids.patient) } } : {};

  const observation: Observation = {
    resourceType: 'Observation',
    identifier: [{ system: SYSTEMS.observation, value: exam.id }],
    status: 'preliminary',
    category: [
      {
        coding: [
          {
            system: 'http://terminology.hl7.org/CodeSystem/observation-category',
            code: 'imaging',
          },
        ],
      },
    ],
    code: { text: 'Second reading of a chest X-ray of a child by software' },
    ...subject,
    effectiveDateTime: exam.createdAt,
    device: { reference: url(ids.device) },
    method: { text: `${readBy.modelName} on ${readBy.engine}, Bellows ${readBy.appVersion}` },
    valueCodeableConcept: {
      coding: [{ system: VERDICT_SYSTEM, code: reading.verdict }],
      text: VERDICT_WORDS[reading.verdict],
    },
    component: [
      ...(reading.probability === null
        ? []
        : [
            {
              code: { text: 'Probability of pneumonia' },
              valueQuantity: quantity(reading.probability),
            },
          ]),
      { code: { text: 'Threshold' }, valueQuantity: quantity(readBy.threshold) },
    ],
    ...(reading.reasons.length > 0 && {
      note: reading.reasons.map(({ message }) => ({ text: message })),
    }),
  };

  const report: DiagnosticReport = {
    resourceType: 'DiagnosticReport',
    identifier: [{ system: SYSTEMS.exam, value: exam.id }],
    // A doctor has not signed it: the software's word alone is never final.
    status: 'preliminary',
    code: {
      coding: [{ system: 'http://loinc.org', code: '36554-4', display: 'XR Chest Single view' }],
      text: 'Chest X-ray of a child, second reading by software',
    },
    ...subject,
    effectiveDateTime: exam.createdAt,
    issued: exam.createdAt,
    result: [{ reference: url(ids.observation) }],
    ...(exam.note && { conclusion: exam.note }),
  };

  const entries: BundleEntry[] = [
    entry(
      ids.device,
      {
        resourceType: 'Device',
        identifier: [{ system: SYSTEMS.model, value: readBy.modelSha256 }],
        deviceName: [{ name: readBy.modelName, type: 'model-name' }],
        version: [{ value: readBy.modelSha256 }],
      },
      SYSTEMS.model,
      readBy.modelSha256,
    ),
    entry(ids.observation, observation, SYSTEMS.observation, exam.id),
    entry(ids.report, report, SYSTEMS.exam, exam.id),
  ];
  if (exam.patientReference) {
    const value = `${deviceId}/${exam.patientReference}`;
    const patient: Patient = {
      resourceType: 'Patient',
      identifier: [{ system: SYSTEMS.patient, value }],
    };
    entries.unshift(entry(ids.patient, patient, SYSTEMS.patient, value));
  }
  return {
    resourceType: 'Bundle',
    identifier: { system: SYSTEMS.bundle, value: exam.id },
    type: 'transaction',
    timestamp: exam.createdAt,
    entry: entries,
  };
}

function entry(
  id: string,
  resource: NonNullable<BundleEntry['resource']>,
  system: string,
  value: string,
): BundleEntry {
  return {
    fullUrl: `urn:uuid:${id}`,
    resource,
    request: {
      method: 'POST',
      url: resource.resourceType,
      ifNoneExist: `identifier=${encodeURIComponent(`${system}|${value}`)}`,
    },
  };
}

const quantity = (value: number) => ({
  value: Number(value.toFixed(6)),
  system: 'http://unitsofmeasure.org',
  code: '1',
});
