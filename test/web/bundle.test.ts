import { expect, it } from 'vitest';
import { eachReference, parseTransaction } from '../../server/fhir/transaction.ts';
import { examBundle, newBundleIds, SYSTEMS } from '../../web/outbox/bundle.ts';
import { makeExam } from '../server/exam.ts';

const IDS = newBundleIds();
const types = (bundle: ReturnType<typeof examBundle>) =>
  bundle.entry!.map(({ resource }) => resource!.resourceType);
const resource = (bundle: ReturnType<typeof examBundle>, type: string) =>
  bundle.entry!.find(({ resource }) => resource!.resourceType === type)!.resource;

it('makes a transaction that the server takes, with every reference inside it', () => {
  const exam = makeExam();
  const bundle = examBundle(exam, 'tablet', IDS);
  const { identifier, creates } = parseTransaction(JSON.parse(JSON.stringify(bundle)));
  expect(identifier).toEqual({ system: SYSTEMS.bundle, value: exam.id });
  expect(types(bundle)).toEqual(['Patient', 'Device', 'Observation', 'DiagnosticReport']);
  // What a conditional create looks for is what its resource carries.
  for (const { condition, identifiers } of creates) expect(identifiers).toContainEqual(condition);
  const urls = creates.map(({ fullUrl }) => fullUrl);
  let references = 0;
  eachReference(bundle.entry, (reference) => {
    references++;
    expect(urls).toContain(reference);
    return reference;
  });
  expect(references).toBe(4);
});

it('leaves the patient out when there is no reference, and no reference to one stays', () => {
  const bundle = examBundle(makeExam({ patientReference: '' }), 'tablet', IDS);
  parseTransaction(bundle);
  expect(types(bundle)).toEqual(['Device', 'Observation', 'DiagnosticReport']);
  expect(JSON.stringify(bundle)).not.toContain('subject');
});

it('is the same Bundle for the same exam, and another for another device', () => {
  const exam = makeExam({ patientReference: '12' });
  expect(examBundle(exam, 'a', IDS)).toEqual(examBundle(exam, 'a', IDS));
  const patients = ['a', 'b'].map((device) => resource(examBundle(exam, device, IDS), 'Patient'));
  expect(patients[0]).toMatchObject({ identifier: [{ value: 'a/12' }] });
  expect(patients[1]).toMatchObject({ identifier: [{ value: 'b/12' }] });
});

it('never looks signed, and says how sure the software was', () => {
  const bundle = examBundle(makeExam(), 'tablet', IDS);
  expect(resource(bundle, 'DiagnosticReport')).toMatchObject({
    status: 'preliminary',
    conclusion: 'Fast breathing for two days.',
  });
  expect(resource(bundle, 'Observation')).toMatchObject({
    status: 'preliminary',
    valueCodeableConcept: { coding: [{ code: 'pneumonia' }] },
    component: [{ valueQuantity: { value: 0.9134 } }, { valueQuantity: { value: 0.5 } }],
  });
});

it('gives a refused film no probability but its reason', () => {
  const reasons = [{ code: 'colour', message: 'This is a colour picture.' }];
  const reading = { verdict: 'refused', probability: null, reasons, ms: 1 } as const;
  const bundle = examBundle(makeExam({ reading: { ...reading, reasons } }), 'tablet', IDS);
  parseTransaction(bundle);
  const observation = resource(bundle, 'Observation');
  expect(observation).toMatchObject({ note: [{ text: 'This is a colour picture.' }] });
  expect(JSON.stringify(observation)).not.toContain('Probability of pneumonia');
});

it('keeps a reference with signs of its own whole', () => {
  const reference = 'Ä 12|7 & co=1,2+3 %20';
  const [patient] = parseTransaction(
    examBundle(makeExam({ patientReference: reference }), 'tablet', IDS),
  ).creates;
  expect(patient!.condition).toEqual({ system: SYSTEMS.patient, value: `tablet/${reference}` });
});
